"""What the outside reads: Prometheus metrics, the HTTP API, health, and the rows and state that commands print."""
