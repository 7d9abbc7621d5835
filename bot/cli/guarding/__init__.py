"""What guards say: one text judged, what each guard can do, the embedded one trained again."""
