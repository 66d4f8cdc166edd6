"""Start the program from a checkout: `python cli.py …` is `rfid-station …`."""

from rfid_station.cli.app import main

if __name__ == "__main__":
    main()
