"""How parties come to know each other: cards to hand over, and what they leave in the files."""
