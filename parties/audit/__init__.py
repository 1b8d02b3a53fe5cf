"""What a party can show afterwards: every message of every run, chained and signed."""
