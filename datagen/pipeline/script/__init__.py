"""Parts of a script: who holds the floor and when (`floor`), and what overlaps it (`beside`).

`interrupt` decides where and how the user barges in, `correct` which value a user says wrong first, `marked` follows
the marks of a dialogue. Every decision is drawn under its own key (`draws`), so that no draw of one behaviour shifts
another's.
"""
