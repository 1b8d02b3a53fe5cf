"""Paillier encryption, fixed point and packing over contiguous arrays of residues."""
