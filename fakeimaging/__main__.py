"""`python -m fakeimaging` is the command line."""

from fakeimaging.cli import main

main()
