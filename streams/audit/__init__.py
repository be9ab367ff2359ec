"""Does it hold? `recount` counts the topic again with plain code and compares; `check` looks at settings, lists, servers and topics."""
