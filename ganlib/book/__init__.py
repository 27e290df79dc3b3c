"""What only the book needs: claims that chapters check, tables measured once, and widgets for its pages.

`ganlib.claim`, `ganlib.results` and `ganlib.widgets` are short for what is here. No other module imports it.
"""
