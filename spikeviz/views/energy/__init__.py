"""Energy of networks in three ways of counting, for every page that speaks of it."""
