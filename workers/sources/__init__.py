"""Reading rows and cleaning them: files, Delta and SQL tables to sorted shards, and what could not be used."""
