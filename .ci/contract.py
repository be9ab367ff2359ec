"""Writes the published contract, docs/contract/, from the type in streams/events.py. `--check` only says whether it is current.

`visit-event.schema.json` is the event as JSON Schema (2020-12), `asyncapi.json` the two topics as AsyncAPI 3, `openapi.json` the collector
as OpenAPI 3.1. What an event must be is said by the code alone: types and required members by `VisitEvent`, bounds by the constants
beside it, reasons by `Reason`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from streams.events import (
    ID_CHARACTERS_MAX,
    VALUE_BYTES_MAX,
    VERSION,
    VISITOR_CHARACTERS_MAX,
    Reason,
    VisitEvent,
)
from streams.settings import Settings
from streams.topics import TopicDesign

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "contract"
SCHEMA = "visit-event.schema.json"
EXAMPLE = {
    "v": 1,
    "id": "01JC7B2Z5W3M9X1QK8T4R6V0AE",
    "ts": 1788242592345,
    "project": "mbn",
    "uai": "0541234Y",
    "service": "CAHIER_TEXTES",
    "profile": "ELEVE",
    "visitor": "9f2c1e5b7a3d4860b1c2d3e4f5061728394a5b6c7d8e9f00112233445566778f",
}
#: Member -> what it is, and the keywords that the type does not carry.
MEMBERS: dict[str, dict[str, Any]] = {
    "v": {"const": VERSION, "description": "Version of this contract, written without a decimal point."},
    "id": {
        "minLength": 1,
        "maxLength": ID_CHARACTERS_MAX,
        "description": "Unique for this event, among all projects (a ULID or UUID); the same again when the event is sent "
        "again.",
    },
    "ts": {
        "minimum": 0,
        "description": "When it happened, UTC epoch milliseconds, written without a decimal point. Rejected when too far from the time at "
        "which Kafka took the event (2 minutes ahead, 48 hours behind by default).",
    },
    "visitor": {
        "minLength": 1,
        "maxLength": VISITOR_CHARACTERS_MAX,
        "description": "Opaque pseudonym of the person: HMAC-SHA-256 of the ENT's user id under the project's secret, in hexadecimal. "
        "Its UTF-8 is the key of the record.",
    },
    "project": {
        "description": "Code of the ENT project (config/projects.yaml). Absent or unknown: counted under INCONNU."
    },
    "uai": {
        "description": "Number of the establishment, seven digits and a control letter; region and academy follow from it. Absent, "
        "malformed or of no known departement: counted under INCONNU."
    },
    "service": {
        "description": "Code of the service in the marking plan (config/services.yaml), PAGE_ENT for pages of none. Absent or unknown: "
        "counted under INCONNU."
    },
    "profile": {
        "description": "Code of the visitor's profile (config/profiles.yaml). Absent or unknown: counted under INCONNU."
    },
    "type": {
        "description": "NATIF for a service of the ENT, TIERS for a third party's, counted on the click that opens it."
    },
    "tool": {"description": "Name of the tool that gives the service."},
    "device": {"description": "Kind of device."},
}


def event_schema() -> dict[str, Any]:
    """The event as JSON Schema."""
    generated = msgspec.json.schema(VisitEvent)["$defs"]["VisitEvent"]
    members = {}
    for name, schema in generated["properties"].items():
        plain = {key: value for key, value in schema.items() if key != "default"}
        members[name] = {**plain, **MEMBERS[name]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:vigie:visit-event:{VERSION}",
        "title": "Visit event",
        "description": "One authenticated use of a service of a school portal. As a record of Kafka at most "
        f"{VALUE_BYTES_MAX} bytes, UTF-8. Members that are not listed are ignored.",
        "type": "object",
        "properties": members,
        "required": generated["required"],
        "examples": [EXAMPLE],
    }


def asyncapi() -> dict[str, Any]:
    """The two topics as AsyncAPI 3, from Vigie's side: it receives visits and sends rejected ones."""
    event = {key: value for key, value in event_schema().items() if not key.startswith("$")}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vigie: visits of school portals",
            "version": f"{VERSION}.0.0",
            "description": "What an ENT publishes, and what becomes of events that break the contract. docs/integration.md explains it.",
            "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "visits": _channel("topic", "Visit events, one a record.", "visit"),
            "rejected": _channel(
                "rejected_topic",
                "Rejected events, byte for byte, up to a bound a minute and reason; and marks of those that were replayed.",
                "rejectedVisit",
                "replayMark",
            ),
        },
        "operations": {
            "receiveVisits": _operation("receive", "visits", "visit", "An ENT publishes, Vigie counts."),
            "sendRejected": _operation("send", "rejected", "rejectedVisit", "Vigie keeps what it could not count."),
        },
        "components": {
            "messages": {"visit": _visit(event), "rejectedVisit": _rejected(), "replayMark": _replay_mark()}
        },
    }


def _channel(setting: str, description: str, *messages: str) -> dict[str, Any]:
    fields = Settings.model_fields
    design = TopicDesign(
        name=fields[setting].default,
        partitions=fields["topic_partitions"].default,
        replication_factor=3,
        min_insync_replicas=2,
        retention_hours=fields["topic_retention_hours"].default,
    )
    configs = design.configs()
    return {
        "address": design.name,
        "description": f"{description} message.timestamp.type is {configs['message.timestamp.type']}.",
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
        "bindings": {
            "kafka": {
                "topic": design.name,
                "partitions": design.partitions,
                "replicas": design.replication_factor,
                "topicConfiguration": {
                    "cleanup.policy": [configs["cleanup.policy"]],
                    "retention.ms": int(configs["retention.ms"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(action: str, channel: str, message: str, summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _visit(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "visit",
        "title": "Visit event",
        "contentType": "application/json",
        "payload": event,
        "bindings": {
            "kafka": {
                "key": {
                    "type": "string",
                    "description": "The UTF-8 of `visitor`. The partition is murmur2 of it (Java's default; librdkafka: "
                    "partitioner=murmur2_random), so that all events of a visitor are in one partition.",
                },
                "bindingVersion": "0.5.0",
            }
        },
        "examples": [{"name": "homework", "payload": EXAMPLE}],
    }


def _rejected() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "name": "rejectedVisit",
        "title": "Rejected event",
        "description": "The value is that of the rejected record, whatever it holds. At least once: the same key may come twice.",
        "payload": {"description": "Any bytes.", "type": "string"},
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {
                "reason": {"type": "string", "enum": [reason.value for reason in Reason]},
                "topic": {**text, "description": "Topic of the rejected record."},
                "partition": {**text, "description": "Its partition, in digits."},
                "offset": {**text, "description": "Its offset, in digits."},
                "append_ms": {**text, "description": "When Kafka took it, epoch milliseconds, in digits."},
                "key": {**text, "description": "Its key, where it had one."},
            },
            "required": ["reason", "topic", "partition", "offset", "append_ms"],
        },
        "bindings": {
            "kafka": {"key": {"type": "string", "description": "topic-partition-offset"}, "bindingVersion": "0.5.0"}
        },
    }


def _replay_mark() -> dict[str, Any]:
    return {
        "name": "replayMark",
        "title": "Mark of a replay",
        "description": "No value. Under the key of a dead letter: its event is about to be published again, or was. A replayed event "
        "carries the header `replay-of` with that key.",
        "payload": {"type": "null"},
        "headers": {
            "type": "object",
            "properties": {
                "replay": {"type": "string", "enum": ["intent", "done"]},
                "id": {"type": "string", "description": "`id` of the event."},
            },
            "required": ["replay", "id"],
        },
        "bindings": {
            "kafka": {"key": {"type": "string", "description": "topic-partition-offset"}, "bindingVersion": "0.5.0"}
        },
    }


def openapi() -> dict[str, Any]:
    """The collector as OpenAPI 3.1."""
    ndjson = "One event a line; blank lines are passed over. Any other media type is read so, too."
    content = {
        "application/x-ndjson": {"schema": {"type": "string", "description": ndjson}},
        "application/json": {"schema": {"$ref": "#/components/schemas/Event"}, "example": EXAMPLE},
    }
    post = {
        "operationId": "sendEvents",
        "summary": "Send events; the answer comes once Kafka has confirmed them.",
        "parameters": [{"name": "Content-Encoding", "in": "header", "schema": {"type": "string", "enum": ["gzip"]}}],
        "requestBody": {"required": True, "content": content},
        "responses": _answers(),
        "security": [{"token": []}],
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vigie: the collector",
            "version": f"{VERSION}.0.0",
            "description": "Events over HTTPS, for ENTs that do not reach Kafka. docs/integration.md explains it.",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "paths": {"/v1/events": {"post": post}},
        "components": {
            "schemas": _collector_schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _answers() -> dict[str, Any]:
    retry = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}
    partly = "Kafka is away, slow, or took only a part: send the whole request again, with the same ids."
    answers: dict[str, tuple[str, str, dict[str, Any]]] = {
        "200": ("At least one event was taken; look at `refused`.", "Answer", {}),
        "400": ("No event, or gzip that is damaged.", "Problem", {}),
        "401": ("No token, or one that is unknown, revoked or expired.", "Problem", {}),
        "408": ("The body took too long.", "Problem", {}),
        "413": ("Too many bytes, before or after unpacking, or too many events.", "Problem", {}),
        "415": ("Another Content-Encoding than gzip.", "Problem", {}),
        "422": ("Every event is refused; do not send them again as they are.", "Answer", {}),
        "429": ("The token is faster than it may be.", "Problem", retry),
        "503": (partly, "Problem", retry),
    }
    return {
        status: {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
            **({"headers": headers} if headers else {}),
        }
        for status, (text, schema, headers) in answers.items()
    }


def _collector_schemas() -> dict[str, Any]:
    event = {key: value for key, value in event_schema().items() if not key.startswith("$")}
    number = {"type": "integer", "minimum": 0}
    reason = {"type": "string", "enum": [reason.value for reason in Reason]}
    line = {"line": {**number, "minimum": 1}, "reason": reason}
    lines = {"type": "object", "properties": line, "required": list(line)}
    remembered = "So long at least an id is remembered: events sent again within it count once."
    answer = {
        "accepted": {**number, "description": "Events that Kafka has confirmed, on all in-sync replicas."},
        "refused": {**number, "description": "Events that break the contract, or are of another project."},
        "reasons": {"type": "object", "additionalProperties": number, "propertyNames": reason},
        "refused_lines": {"type": "array", "items": lines, "description": "Each with its line, numbered from 1."},
        "ids_remembered_seconds": {**number, "description": remembered},
    }
    error = {"type": "string", "description": "What is wrong, and what to do."}
    return {
        "Event": event,
        "Answer": {"type": "object", "properties": answer, "required": list(answer), "additionalProperties": False},
        "Problem": {
            "type": "object",
            "properties": {"error": error},
            "required": ["error"],
            "additionalProperties": False,
        },
    }


def written() -> dict[str, str]:
    """File name -> its text, made anew."""
    documents = {SCHEMA: event_schema(), "asyncapi.json": asyncapi(), "openapi.json": openapi()}
    return {name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in documents.items()}


def main() -> int:
    """Write, or say what is not current."""
    stale = [
        name for name, text in written().items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text
    ]
    if "--check" in sys.argv:
        if stale:
            print(f"docs/contract: not current: {', '.join(stale)}; write it with `make tables`")  # noqa: T201
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        (FOLDER / name).write_text(written()[name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
