"""Run the command line: ``python -m esanalytics``."""

from esanalytics.cli import main

if __name__ == "__main__":
    main()
