"""A party's own data: reading tables, checking them, and making ids comparable."""
