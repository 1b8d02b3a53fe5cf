"""What a job takes before it is run: minutes, gigabytes and ciphertexts, from counts and from rates."""
