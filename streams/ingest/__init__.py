"""From Kafka to counting to Redis: the Faust worker. Carries batches to `count` and deltas to `live`; knows nothing of visits."""
