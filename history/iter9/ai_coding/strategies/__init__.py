"""Strategies: generators that yield what they need (Ask, Judge) and return a Program; they do no input or output."""
