"""Vigie: live audience measurement of France's school portals (ENT).

One sentence of data flow, and the folders are its words:

    ENT servers --publish--> Kafka --ingest--> count --> live (Redis) --> observe --> expose --> Prometheus, API
"""

__version__ = "0.2.0"
