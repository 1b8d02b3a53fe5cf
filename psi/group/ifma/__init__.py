"""ristretto255 by AVX-512 IFMA, eight elements at a time, in kernels that numba compiles.

    field       numbers modulo 2^255 - 19, and the proof that they are exact
    curve       points, and their powers
    encoding    from bytes to points and back
    kernels     what is called from Python
    sha512      from ids to uniform bytes
    backend     `Ifma`, the seam's operations

The lanes, the compiler's options, the folder of compiled code and the gate are those of
`vfl.crypto.modular.ifma`; nothing here is called before its `gate.missing()` has returned None.

Time does not depend on the secret power: it runs through fixed windows, all of a table is read for each,
and signs are chosen by masks, as is whatever is done about a point, valid or not.  Outside the kernels
this does not hold: the power becomes masks in Python's integers, once a call, and those masks lie in
memory until they are freed.  How many elements there are, and which was refused, is public.
"""
