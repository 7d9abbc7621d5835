"""The mind of Jikimi: no platform, model or database code."""
