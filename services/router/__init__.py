"""Router: which model of which provider answers, and what did it say?"""
