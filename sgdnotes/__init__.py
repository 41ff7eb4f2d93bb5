"""Stochastic gradient descent as a stochastic process: the book's helpers.

Two wings, `sgdnotes.theory` and `sgdnotes.experiment`, never import each
other; they meet in a notebook, at a `claim`. That is what makes their
agreement evidence. Both read the same `losses`.
"""

__version__ = "0.1.0"
