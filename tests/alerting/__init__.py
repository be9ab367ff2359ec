"""`make prove-alerts`: what must call somebody, and what must not, on real servers."""
