"""Other ways to count the same events, in the same run (`make bench-peers`)."""
