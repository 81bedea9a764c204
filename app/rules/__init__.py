"""The merchant's rules: IF conditions THEN actions, evaluated purely, explained afterwards."""
