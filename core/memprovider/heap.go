package memprovider

// A minHeap hands out its members smallest first. A member knows its place, so
// that it can be moved and removed; it is in at most one heap at a time.
type minHeap[T any] struct {
	items []T
	less  func(a, b T) bool
	place func(T) *place[T]
}

// A place says which heap a member is in, nil for none, and where.
type place[T any] struct {
	heap  *minHeap[T]
	index int
}

func (h *minHeap[T]) len() int { return len(h.items) }

// top returns the smallest member.
func (h *minHeap[T]) top() (x T, ok bool) {
	if len(h.items) == 0 {
		return x, false
	}
	return h.items[0], true
}

func (h *minHeap[T]) push(x T) {
	h.items = append(h.items, x)
	*h.place(x) = place[T]{h, len(h.items) - 1}
	h.up(len(h.items) - 1)
}

// pop removes the smallest member of a heap that is not empty.
func (h *minHeap[T]) pop() T {
	x := h.items[0]
	h.remove(x)
	return x
}

func (h *minHeap[T]) remove(x T) {
	at := h.place(x)
	i, last := at.index, len(h.items)-1
	h.swap(i, last)
	var none T
	h.items[last] = none
	h.items = h.items[:last]
	at.heap = nil
	if i < last {
		h.down(i)
		h.up(i)
	}
}

// fix restores the order after x changed.
func (h *minHeap[T]) fix(x T) {
	h.down(h.place(x).index)
	h.up(h.place(x).index)
}

func (h *minHeap[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.items[i], h.items[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *minHeap[T]) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h.items); child++ {
			if h.less(h.items[child], h.items[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		h.swap(i, least)
		i = least
	}
}

func (h *minHeap[T]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	h.place(h.items[i]).index = i
	h.place(h.items[j]).index = j
}

// leave removes x from the heap that it is in, if any.
func (at *place[T]) leave(x T) {
	if at.heap != nil {
		at.heap.remove(x)
	}
}
