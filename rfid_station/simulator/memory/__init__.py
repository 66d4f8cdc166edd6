"""Virtual memory cards: MIFARE Ultralight, NTAG2xx and MIFARE Classic, from their data sheets."""
