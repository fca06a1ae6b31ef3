"""SUPERB tasks, one file each: a file's name is the task's name, and it holds one `TASK`."""
