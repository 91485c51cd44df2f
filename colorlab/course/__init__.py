"""What belongs to the lessons alone: their exercises, quizzes, widgets, recorded runs and map."""
