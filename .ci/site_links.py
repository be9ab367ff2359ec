"""For `make docs`: links of docs/ to files beside it lead to the source on the forge, since the site holds docs/ alone."""

from __future__ import annotations

import re
from typing import Any

#: `](../examples/README.md)`: out of docs/.
_OUTSIDE = re.compile(r"\]\(\.\./(?=(?:examples|config|deploy|bench|tests|streams|[A-Z]+\.md)\b)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_others: Any) -> str:
    """MkDocs calls it for each page before it is rendered."""
    if "/" in page.file.src_uri:  # below docs/, `../` is docs/ itself
        return markdown
    return _OUTSIDE.sub(f"]({config.extra['source']}/", markdown)
