"""What a script is made of: who holds the floor from when to when (`floor`), and what is heard beside it (`beside`).

Every decision is drawn under its own key (`draws`), so that no draw of one behaviour shifts another's.
"""
