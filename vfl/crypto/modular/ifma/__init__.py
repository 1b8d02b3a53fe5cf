"""Pairs modulo n^2 by AVX-512 IFMA, eight at a time, in kernels that numba compiles.

    lanes         eight 64-bit lanes as a type of numba, and the instructions on them
    compiled      what turns functions into kernels, and the folder that keeps them
    windows       four rows of a product at a time, with their sums in registers
    arithmetic    products and squares of eight pairs, and the proof that they are exact
    rows          from the bytes of the seam to lanes and back
    constants     what depends on a modulus alone
    fixed_base, lists, powers, packing, decryption    the kernels
    gate          whether this process may call them
    threads       cores that share the rows of a batch
    backend       `Ifma`, the seam's operations

On a CPU without IFMA a call of a kernel ends the process, so nothing here is called before
`gate.missing()` has returned None; `choice.best` asks it.  Only `gate` can be imported without numba.

Not constant time: tables are read at places that depend on exponents, so whoever can time memory on
the same machine may learn about them.
"""
