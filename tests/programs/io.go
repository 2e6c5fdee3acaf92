// io: file and pipe I/O in a loop, for steady.sh; $N says how often.  Built without cgo it makes every call itself.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "io:", err)
		os.Exit(1)
	}
}

// files writes a file, reads it back whole and in part, renames and removes it.
func files(name string) {
	check(os.WriteFile(name, make([]byte, 5000), 0644))
	got, err := os.ReadFile(name)
	check(err)
	f, err := os.Open(name)
	check(err)
	part := make([]byte, 100)
	n, err := f.ReadAt(part, int64(len(got)-50))
	if n != 50 || err != io.EOF {
		check(fmt.Errorf("%d bytes at the end, %v", n, err))
	}
	check(f.Close())
	check(os.Rename(name, name+".new"))
	_, err = os.Stat(name + ".new")
	check(err)
	check(os.Remove(name + ".new"))
}

// echo sends each byte of one pipe back through another.
func echo(from, to *os.File) {
	buf := make([]byte, 100)
	for {
		n, err := from.Read(buf)
		if err == io.EOF {
			check(to.Close())
			return
		}
		check(err)
		_, err = to.Write(buf[:n])
		check(err)
	}
}

func main() {
	rounds, err := strconv.Atoi(os.Getenv("N"))
	check(err)
	name := fmt.Sprintf("/tmp/io.%d", os.Getpid())
	there, out, err := os.Pipe()
	check(err)
	in, back, err := os.Pipe()
	check(err)
	go echo(there, back)
	buf := make([]byte, 1)
	for i := 0; i < rounds; i++ {
		files(name)
		_, err = out.Write([]byte{byte(i)})
		check(err)
		_, err = in.Read(buf)
		check(err)
		if buf[0] != byte(i) {
			check(fmt.Errorf("%d came back as %d", byte(i), buf[0]))
		}
	}
	check(out.Close())
	if _, err = in.Read(buf); err != io.EOF {
		check(fmt.Errorf("the end of the pipe: %v", err))
	}
}
