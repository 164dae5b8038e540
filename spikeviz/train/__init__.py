"""Training: recipes, and a loop that a killed run resumes from."""
