"""Stochastic gradient descent as a stochastic process: the book's helpers.

Theory (`losses`, `stationary`) and experiment (`noise`, `dynamics`,
`simulate`, `estimate`) never import each other; they meet in a notebook, at a
`claim`. That is what makes their agreement evidence.
"""

__version__ = "0.1.0"
