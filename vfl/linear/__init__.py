"""The joint logistic regression: its mathematics, its training and its scoring."""
