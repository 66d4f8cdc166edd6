"""Virtual chips, readers and a virtual partner, written from data sheets and specifications alone."""
