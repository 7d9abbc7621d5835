"""The composition root: a configuration -> a running application; the only importer of adapters and storage."""
