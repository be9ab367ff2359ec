"""The collector: ENTs send their events over HTTPS, each with a token of its own; it answers once Kafka has confirmed them."""
