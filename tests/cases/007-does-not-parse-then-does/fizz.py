print('Fizz')
