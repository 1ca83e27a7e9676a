"""Scripts: the floor and its timing (`floor`), and overlapping speech (`beside`).

`interrupt` places the user's barge-ins, `correct` makes the user correct a value, and `marked`
follows the marks of a dialogue. Every decision is drawn under its own key (`draws`), so that no
draw of one behaviour shifts another's.
"""
