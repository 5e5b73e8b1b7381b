"""Erasure: what is known of a person is removed everywhere, and a trace without a name keeps the person out."""
