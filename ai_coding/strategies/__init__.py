"""Strategies: generators that yield needs (Ask, Judge) and return a Program; no input or output."""
