"""The long run: processes of ours and stand-ins for Longhorn, killed and stopped at random."""
