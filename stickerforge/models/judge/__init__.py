"""sticker-judge: the two judges that ship, their network and their weights."""
