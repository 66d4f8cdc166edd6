"""For those who print elsewhere or on plastic: bureaus, press files, card printers."""
