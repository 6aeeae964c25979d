"""The log: a hash chain of what happened, its signed heads and proofs."""
