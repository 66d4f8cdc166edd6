"""`python -m rfid_station` is `rfid-station`."""

from rfid_station.cli.app import main

if __name__ == "__main__":
    main()
