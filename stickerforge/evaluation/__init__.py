"""Figures about pictures: pure functions of arrays, and the report that shows them."""
