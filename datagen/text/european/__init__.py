"""Written to spoken Spanish, German and French: each group of digits is classified once, by its signs and neighbours.

amounts.py   separators of numbers
skeleton.py  the rules that the three languages share
spanish.py   tables of words and the language's own rules; german.py and french.py likewise
"""

from datagen.text.european.french import FRENCH
from datagen.text.european.german import GERMAN
from datagen.text.european.spanish import SPANISH

read_spanish, read_german, read_french = SPANISH.read, GERMAN.read, FRENCH.read
