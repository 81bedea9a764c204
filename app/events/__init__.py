"""What shoppers do: one door for behaviour events, one identity per visitor, intent in the session."""
