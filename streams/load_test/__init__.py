"""A day that was counted, moved onto now and multiplied: does the chain hold it? Senders, measurements, the verdict."""
