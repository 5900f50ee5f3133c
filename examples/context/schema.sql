CREATE TABLE item (
    sku TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    cents INTEGER NOT NULL CHECK (cents >= 0),
    reorder_at INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE movement (
    id INTEGER PRIMARY KEY,
    sku TEXT NOT NULL REFERENCES item (sku),
    delta INTEGER NOT NULL,
    at TEXT NOT NULL
);
