"""Makes the database that the tests of stock read. Usage: stock_data.py FILE"""

import sqlite3
import sys

SCHEMA = """
CREATE TABLE item (sku TEXT PRIMARY KEY, title TEXT NOT NULL, cents INTEGER NOT NULL, reorder_at INTEGER NOT NULL DEFAULT 0);
CREATE TABLE movement (id INTEGER PRIMARY KEY, sku TEXT NOT NULL, delta INTEGER NOT NULL, at TEXT NOT NULL);
"""
ITEMS = [("D4", "Hinge é", 123405, 1), ("B2", "Nut", 3, 0), ("A1", "Bolt, M4", 5, 50), ("C3", "Gate", 900, 1)]
MOVES = [("A1", 100), ("A1", -5), ("B2", -2), ("D4", 1)]
with sqlite3.connect(sys.argv[1]) as database:
    database.executescript(SCHEMA)
    database.executemany("INSERT INTO item VALUES (?, ?, ?, ?)", ITEMS)
    database.executemany("INSERT INTO movement (sku, delta, at) VALUES (?, ?, '2026-01-01')", MOVES)
