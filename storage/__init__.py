"""The database: everything that must outlive the process, over SQLAlchemy and nothing but the ports outwards."""
